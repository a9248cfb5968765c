"""The options of a training, which `affwildnet.train` makes flags of."""

from __future__ import annotations

import dataclasses

from affwildnet.cases import CASES, TRAINED
from affwildnet.composites import COMPOSITES
from affwildnet.input_spec import COLOUR_ORDERS
from affwildnet.precision import PRECISIONS
from affwildnet.stages import STAGES
from affwildnet.strategies import STRATEGIES
from tfrecords.options import option

PREPROCESSES = ("paper", "pretrained")


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """What shapes the training; a resumed run must have the same."""

    case: str = option(
        "2",
        "thesis's case: 0 trains RNN and FC on a frozen CNN, 1 also its last convolution, 2 everything, "
        "3 everything with the RNN of --rnn_from, the best of case 2",
        choices=sorted(CASES),
    )
    batch: int = option(2, "sequences a batch", at_least=1)
    sequence_length: int = option(80, "frames a sequence", at_least=1)
    loss: str = option("ccc", "1 - CCC or the mean squared error", choices=("ccc", "mse"))
    learning_rate: float = option(0.0, "Adam's rate; 0 takes the case's", at_least=0)
    seed: int = option(1, "seed of weights and order")
    colour_order: str = option("bgr", "order in which the network sees the colours; the thesis's is bgr", COLOUR_ORDERS)
    preprocess: str = option(
        "paper", "paper: the thesis's (x - 128) / 128; pretrained: what the CNN's weights learned", PREPROCESSES
    )
    trained_cnn: str = option("", "what of the CNN is trained, in place of what the case says", ["", *TRAINED])
    weights: str = option(
        "published",
        "the CNN's pre-trained weights: published (its own, fetched before; without --cnn_from), none, a file's path, "
        "or a name that was fetched",
    )
    cnn_from: str = option("", "model folder whose latest checkpoint gives the CNN's initial weights")
    rnn_from: str = option("", "model folder, of case 2 in the thesis, that gives RNN and FC their start")
    rnn_checkpoint: str = option("total", "its checkpoint: valence, arousal or total for the best, latest, or a step")
    stage: str = option(
        "",
        "of a network that is trained in stages: attributes, then action_units, then va; all at once; see "
        "affwildnet/stages.py",
        ["", *STAGES],
    )
    stage_from: str = option("", "model folder of the stage before, whose network and heads are taken over")
    stage_checkpoint: str = option("latest", "its checkpoint: latest, a step, or a name of its best.json")
    freeze_earlier: bool = option(True, "what --stage_from has trained stays as it is; false: it goes on learning")
    cache_features: bool = option(False, "case 0: compute the frozen CNN's features once and train from them")
    original_batch_norm: bool = option(
        False, "batch norm on batch statistics in every case, as the original; else a frozen CNN keeps its averages"
    )
    precision: str = option(
        "float32", "mixed: layers compute in 16 bits over float32 weights, float16 with its loss scaled", PRECISIONS
    )
    shuffle_labels: bool = option(False, "deal the labels out at random: a control that must learn nothing")


@dataclasses.dataclass(frozen=True)
class TrainRun:
    """Where and how long to train; may differ from start to start."""

    workspace: str = option("", "workspace folder")
    model: str = option("", "model folder, made if it does not exist, resumed if it holds a checkpoint")
    steps: int = option(0, "stop after this step; 0 trains until stopped", at_least=0)
    checkpoint_seconds: float = option(900.0, "seconds between checkpoints; 0 for none by time")
    checkpoint_steps: int = option(0, "steps between checkpoints; 0 for none by steps", at_least=0)
    keep_checkpoints: int = option(10000, "newest checkpoints that are kept; the thesis kept all", at_least=1)
    keep_unevaluated: int = option(
        100, "older ones that are kept beside until affwildnet.evaluate has evaluated them", at_least=0
    )
    stop_on_request: bool = option(True, "end when affwildnet.evaluate asks for it, see its --stop_after")
    log_steps: int = option(50, "steps between TensorBoard summaries", at_least=1)
    image_steps: int = option(1000, "steps between TensorBoard's curves of a training sequence; 0 for none", at_least=0)
    xla: bool = option(False, "compile the whole step by XLA; rounds and drops otherwise than without")
    deterministic: bool = option(
        False, "the same --seed gives the same weights to the last bit, more slowly; without, to rounding"
    )
    weights_folder: str = option("weights", "where affwildnet.fetch_weights put what it fetched")
    gpu: int = option(0, "GPU of this process, -1 for the CPU; with a --strategy all that it sees, or -1")
    strategy: str = option(
        "none",
        "none: one device; mirrored: all GPUs of this machine, the batch dealt out to them; multiworker: those of "
        "several processes, see affwildnet.supervise",
        list(STRATEGIES),
    )
    cpu_devices: int = option(1, "with a --strategy on the CPU: so many devices of it, to try it out", at_least=1)
    data_service: str = option(
        "", "HOST:PORT of a tf.data service (tfrecords.data_service) that reads and decodes; resumes by epoch only"
    )


@dataclasses.dataclass(frozen=True)
class TrainPreset:
    """A system by name."""

    composite: str = option(
        "",
        "a system of the paper or the challenge: sets the flags that make it, where they are not given",
        ["", *sorted(COMPOSITES)],
    )
