// Watching the whole clip before it is annotated, subtitles beside it.

import { get, path, post } from './api.js';
import { element, fill, fillSpeeds, link, loadVideo, personLine, say, unload, warn } from './page.js';
import { PersonMark } from './person_mark.js';

export async function showWatch(main, state, [entry], leaving) {
  const facts = await get(path('api', 'clip', entry));
  if (leaving.aborted) return;
  const find = fill(main, 'watch'); // not before: what is shown can be used
  const video = find('video');
  find('#watch-title').textContent = `Watch ${facts.clip} as a whole`;
  find('#watch-person').textContent = personLine(facts);
  fillSpeeds(find('#speed'), 1, (speed) => (video.playbackRate = speed));
  const mark = new PersonMark(find('.stage'), video, facts);
  leaving.addEventListener('abort', () => {
    mark.close();
    unload(video);
  });
  const known = state.list.entries.find((one) => one.entry === entry);
  let watched = known?.watched ?? false;

  const offer = () => {
    const todo = state.list.dimensions.map((name) => link(`Annotate ${name}`, '#' + path('record', entry, name), 'button primary'));
    find('#next').replaceChildren(...(watched ? todo : []));
    find('#seen').hidden = watched;
    find('#watched').textContent = watched ? 'You have watched it.' : 'When you have watched all of it you can annotate it.';
  };
  const tell = async (said) => {
    if (watched) return;
    const spans = Array.from({ length: video.played.length }, (_, k) => [video.played.start(k), video.played.end(k)]);
    try {
      const answer = await post(path('api', 'watched', state.name, entry), { spans, said });
      watched = answer.watched;
      if (watched) say('You can annotate this clip now.');
      else if (video.ended) say(`You have watched ${Math.round(100 * answer.share)} % of it; the rest is still to watch.`);
    } catch (error) {
      warn(error.message);
    }
    offer();
  };
  video.addEventListener('ended', () => tell(false));
  video.addEventListener('pause', () => tell(false));
  find('#seen').addEventListener('click', () => tell(true));
  offer();
  await loadVideo(video, path('video', entry));
  showSubtitles(find, video, facts);
}

// The browser reads the subtitles; their times are the source's, so they are moved by where the clip begins.
function showSubtitles(find, video, facts) {
  const list = find('#cues');
  if (!facts.subtitles.length) {
    list.append(element('li', 'There are no subtitles to this clip.', { class: 'help' }));
    return;
  }
  const select = find('#language');
  const tracks = facts.subtitles.map((language, number) => {
    const track = element('track', '', { kind: 'metadata', src: path('subtitles', facts.entry, number) });
    select.append(element('option', language || `subtitles ${number + 1}`, { value: number }));
    track.addEventListener('load', () => Number(select.value) === number && fillCues(track.track));
    video.append(track);
    return track;
  });
  const fillCues = (track) => {
    list.replaceChildren();
    for (const cue of track.cues ?? []) {
      const at = cue.startTime - facts.start;
      if (cue.endTime - facts.start < 0 || at > facts.seconds) continue;
      const item = element('li');
      const button = element('button', cue.text.replace(/<[^>]*>/g, ''), { type: 'button' });
      button.addEventListener('click', () => (video.currentTime = Math.max(0, at + 0.01)));
      item.append(button);
      Object.assign(item, { from: at, to: cue.endTime - facts.start });
      list.append(item);
    }
  };
  const choose = () => {
    tracks.forEach((track, number) => (track.track.mode = number === Number(select.value) ? 'hidden' : 'disabled'));
    const chosen = tracks[Number(select.value)];
    if (chosen.readyState === 2) fillCues(chosen.track);
  };
  select.addEventListener('change', choose);
  find('#language-label').hidden = tracks.length < 2;
  choose();
  video.addEventListener('timeupdate', () => {
    for (const item of list.children) {
      const isNow = item.from <= video.currentTime && video.currentTime < item.to;
      if (isNow && item.getAttribute('aria-current') !== 'true') {
        const box = list.parentElement;
        box.scrollTop = item.offsetTop - box.offsetTop - box.clientHeight / 3;
      }
      item.setAttribute('aria-current', String(isNow));
    }
  });
}
