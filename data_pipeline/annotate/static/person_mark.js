// The mark over the picture on the person to look at: a box where their faces are known, else the side.

export class PersonMark {
  constructor(stage, video, facts) {
    Object.assign(this, { video, facts });
    this.box = stage.querySelector('.person-box');
    this.side = stage.querySelector('.person-side');
    this.box.hidden = this.side.hidden = true;
    this.stopped = !facts.person;
    if (facts.person && !facts.boxes.length) {
      this.side.hidden = false;
      this.side.textContent = facts.place === 'left' ? '◀ this person (left)' : 'this person (right) ▶';
      this.side.classList.toggle('right', facts.place === 'right');
    }
    this.move = this.move.bind(this);
    if (facts.boxes.length) this.move();
  }

  move() {
    if (this.stopped) return;
    requestAnimationFrame(this.move);
    const now = this.video.currentTime;
    const { boxes, width, height } = this.facts;
    let low = 0;
    let high = boxes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boxes[middle][0] <= now + 0.05) low = middle + 1;
      else high = middle;
    }
    const found = boxes[low - 1];
    // Without a face near this moment there is nothing to mark.
    this.box.hidden = !found || now - found[0] > 0.5;
    if (this.box.hidden) return;
    const [, x, y, wide, tall] = found;
    const style = this.box.style;
    // The picture fills the stage but for bars at its sides.
    const shown = Math.min(this.video.clientWidth / width, this.video.clientHeight / height);
    const left = (this.video.clientWidth - shown * width) / 2;
    const top = (this.video.clientHeight - shown * height) / 2;
    style.left = `${left + shown * x}px`;
    style.top = `${top + shown * y}px`;
    style.width = `${shown * wide}px`;
    style.height = `${shown * tall}px`;
  }

  close() {
    this.stopped = true;
  }
}
