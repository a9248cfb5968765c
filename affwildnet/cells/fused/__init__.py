"""The parts of the fused attention block: cells, the product ahead of the loops, the loops, the weights.

`FUSED_CELLS` says which cells have a fused form; the block with any other runs as it is written.
"""

from __future__ import annotations

from affwildnet.cells.fused.cell import FusedCell
from affwildnet.cells.fused.gru import FusedGRU
from affwildnet.cells.fused.lstm import FusedLSTM
from affwildnet.cells.fused.plain import FusedIndRNN, FusedRNN
from affwildnet.cells.gru import GRUCell
from affwildnet.cells.indrnn import IndRNNCell
from affwildnet.cells.lstm import LSTMCell
from affwildnet.cells.rnn import RNNCell

# A cell's class -> its fused arithmetic.
FUSED_CELLS: dict[type, type[FusedCell]] = {
    GRUCell: FusedGRU,
    IndRNNCell: FusedIndRNN,
    LSTMCell: FusedLSTM,
    RNNCell: FusedRNN,
}
