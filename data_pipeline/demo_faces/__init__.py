"""A synthetic database to try everything on: videos of one public-domain portrait, warped into many subjects.

    portrait.py      the astronaut portrait of scikit-image: cut out, its parts, its face mesh
    subjects.py      what makes a subject (shape, colours, light) and that subject's picture
    expression.py    valence and arousal -> how far each action is applied, and where each action moves a landmark
    action_units.py  which action units these actions are, and how strongly a frame shows each
    sampling.py      values of pictures between their points
    puppet.py        a subject's picture that can be moved: displacement fields of the actions and their inverse
    scene.py         backgrounds
    objects.py       the things that distract
    trajectories.py  smooth random functions of time, blinks, absences
    clips.py         which clips there are, and what happens in each
    video.py         a clip's frames and truth
    database.py      everything on disk

It says nothing about people: whatever a model learns here, it learned about a puppet.
"""

from data_pipeline.demo_faces.database import DemoFacesOptions, write_demo_database
from data_pipeline.demo_faces.puppet import render_face

__all__ = ["DemoFacesOptions", "render_face", "write_demo_database"]
