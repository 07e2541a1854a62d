"""The two ONNX graphs of a bundle, version 1: names and axes, for the exporter and every runtime.

A graph says the rest itself: tensors are told apart by the prefix of their name, axes by the name
of their dimension, so a runtime moves the tensors of any family without knowing the family.

**Encoder graph**, once for each batch of admitted sentences:

* in   `src_ids` (batch, src_len) int64, each sentence ends with eos, padded with pad_id
* out  `memory.*` (batch, ..., src_len, ...): what decoding reads and never changes; one of them is
  `memory.src_mask` (batch, src_len) bool, True at tokens
* out  `start.*` (batch, ...): the first value of every state that is replaced at each step

**Step graph**, once for each decoding step. Hypotheses stand in a grid of `sentences` x `width`,
where width is the most hypotheses any sentence has: the beams of a sentence are the query length of
its cross attention, and `memory.*` is never copied for each beam. Flat places of the grid, sentence
by sentence, are *cells*; `cells = sentences * width`. A cell without a hypothesis is computed and
forgotten.

* in   `last_ids` (sentences, width) int64; `positions` (sentences, width) int64, tokens decoded so
  far, 0 at the first step of a hypothesis
* in   `parents` (cells) int64: the entry of `state.*` that each cell continues
* in   `live` (rows) int64: cells with a hypothesis; only these reach the output projection
* in   `k` (1) int64
* in   `with_attention` (1) bool, where computing weights costs extra
* in   `memory.*` (sentences, ..., src_len, ...), `state.*`
* out  `top_ids` (rows, k) int64, `top_log_probs` (rows, k) float32: best first, normalised over
  what the model may emit (pad, unknown and bos never)
* out  `attention` (rows, src_len) float32, absent where a model has none
* out  `next.*`: the new value of every `state.*`

A state with an axis named `past_len` is a *cache* (entries, ..., past_len, d): the graph gathers it
by `parents` and appends one entry on the right, so a hypothesis younger than its neighbours has
padding on the left, which `positions` tells apart; a new hypothesis may name any entry. Every
other state is *replaced* (entries, ...): a runtime puts the `start.*` rows of new sentences behind
the entries of the last step and lets `parents` point there; where a graph has states of both kinds,
their caches get as many empty entries behind theirs. A graph leaves out the inputs it has no use
for.
"""

SRC_IDS = "src_ids"

LAST_IDS = "last_ids"
POSITIONS = "positions"
PARENTS = "parents"
LIVE = "live"
K = "k"
WITH_ATTENTION = "with_attention"
STEP_INPUTS = (LAST_IDS, POSITIONS, PARENTS, LIVE, K, WITH_ATTENTION)  # beside memory and state

TOP_IDS = "top_ids"
TOP_LOG_PROBS = "top_log_probs"
ATTENTION = "attention"

MEMORY = "memory."
START = "start."
STATE = "state."
NEXT = "next."
SRC_MASK = "memory.src_mask"

SRC_LEN = "src_len"
PAST_LEN = "past_len"
