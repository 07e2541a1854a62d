"""The two ONNX graphs of a bundle, version 2: names and axes, for the exporter and every runtime.

Tensors without a type here are of the graphs' floats: float32, or float16 in all of a pair's.

A graph says the rest itself: tensors are told apart by the prefix of their name, axes by the name
of their dimension, so a runtime moves the tensors of any family without knowing the family.

**Encoder graph**, once for each batch of admitted sentences:

* in   `src_ids` (batch, src_len) int64, each sentence ends with eos, padded with pad_id
* out  `memory.*` (batch, ..., src_len, ...): what decoding reads and never changes; one of them is
  `memory.src_mask` (batch, src_len) bool, True at tokens
* out  `start.*` (batch, ...): the first value of every state that is replaced at each step

**Step graph**, once for each decoding step. Hypotheses stand in a grid of `sentences` x `width`,
where width is the most hypotheses any sentence has: the beams of a sentence are the query length of
its attention, and `memory.*` is never copied for each beam. Flat places of the grid, sentence by
sentence, are *cells*; `cells = sentences * width`. A cell without a hypothesis is computed and
forgotten.

* in   `last_ids` (sentences, width) int64; `positions` (sentences, width) int64, tokens decoded so
  far, 0 at the first step of a hypothesis
* in   `live` (rows) int64: cells with a hypothesis; only these reach the output projection
* in   `k` (1) int64
* in   `with_attention` (1) bool, where computing weights costs extra
* in   `wanted_ids` (rows, n) int64: ids to tell the log-probabilities of, however improbable; older
  graphs lack it, and must be asked for all ids instead
* in   `memory.*` (sentences, ..., src_len, ...), `state.*`
* out  `top_ids` (rows, k) int64, `top_log_probs` (rows, k) float32: best first, normalised over
  what the model may emit (pad, unknown and bos never)
* out  `wanted_log_probs` (rows, n) float32, where `wanted_ids` is read
* out  `attention` (rows, src_len), absent where a model has none
* out  `next.*`: the new value of every `state.*`

A state with an axis named `cache_len` is a *cache* (sentences, n_heads, cache_len, d): a pool of
entries that all hypotheses of a sentence share. Each step writes one entry for every cell into it,
and never moves the others: which of them a hypothesis sees says a mask. Reordering hypotheses so
costs nothing, and a runtime that gives `next.*` the memory of `state.*` has no copy made at all.

* in   `cache_places` (sentences, width, n_heads, 3) int64: sentence, head and entry to write
* in   `cache_bias` (sentences, 1, width, cache_len) float32: 0 at the entries that a cell sees, its
  own new one among them, -inf elsewhere; every cell sees one at least
* in   `cache_positions` (sentences, cache_len) int64: of the token of each entry

Every other state is *replaced* (entries, ...):

* in   `parents` (cells) int64: the entry that each cell continues. A runtime puts the `start.*`
  rows of new sentences behind the entries of the last step and lets `parents` point there.

A graph leaves out the inputs it has no use for.

**With a vocabulary shortlist** (`mt.shortlist`), two graphs more, which a bundle may lack. The
**listing graph** runs where the sentences in the batch have become others:

* in   `shortlist_ids` (scored) int64: all ids that any of the sentences may need
* out  `listed.*`: what the output layer has of these

The **shortlisted step graph** stands in for the step graph. It scores those ids only, and of each
row those of its own sentence only, in the order in which that sentence lists them: whoever else is
in the batch, the same numbers are added up in the same order. It differs in these:

* in   `shortlist_ids` as above, `listed.*`
* in   `shortlist_places` (sentences, listed) int64: of each id that the sentence may need, its
  place in `shortlist_ids`; filled with that of pad, which is never emitted
* in   `wanted_places` (rows, n) int64 instead of `wanted_ids`: columns of `shortlist_places`
* out  `top_log_probs`, `wanted_log_probs`: normalised over what the sentence lists; `top_ids` are
  ids of the vocabulary, k of them at most `listed`
"""

SRC_IDS = "src_ids"

LAST_IDS = "last_ids"
POSITIONS = "positions"
LIVE = "live"
K = "k"
WITH_ATTENTION = "with_attention"
WANTED_IDS = "wanted_ids"
CACHE_PLACES = "cache_places"
CACHE_BIAS = "cache_bias"
CACHE_POSITIONS = "cache_positions"
PARENTS = "parents"
SHORTLIST_IDS = "shortlist_ids"
SHORTLIST_PLACES = "shortlist_places"
WANTED_PLACES = "wanted_places"
SHORTLIST_INPUTS = (SHORTLIST_IDS, SHORTLIST_PLACES, WANTED_PLACES)
STEP_INPUTS = (  # beside memory and state
    *(LAST_IDS, POSITIONS, LIVE, K, WITH_ATTENTION, WANTED_IDS),
    *(CACHE_PLACES, CACHE_BIAS, CACHE_POSITIONS, PARENTS),
)

TOP_IDS = "top_ids"
TOP_LOG_PROBS = "top_log_probs"
WANTED_LOG_PROBS = "wanted_log_probs"
ATTENTION = "attention"

MEMORY = "memory."
LISTED = "listed."
START = "start."
STATE = "state."
NEXT = "next."
SRC_MASK = "memory.src_mask"

SRC_LEN = "src_len"
CACHE_LEN = "cache_len"
