"""What the ONNX stepper refuses, and how it says so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from mt import bundle as bundles
from mt import graph_signature as names
from mt.bundle import Bundle
from mt.errors import BundleError, ConfigError, EngineError, InputError
from mt.stepper import Rows, runtime
from mt.tokenizer import BOS_ID, EOS_ID
from serving.onnx_stepper import OnnxStepper, open_stepper
from tests.tiny_bundle import VOCAB_SIZE, tiny_manifest, write_tiny_bundle
from tests.tiny_models import tiny_gru, tiny_transformer

MODEL = tiny_transformer(vocab_size=VOCAB_SIZE, encoder_layers=1, decoder_layers=1)
ENCODER, STEP = "encoder.fp32.onnx", "step.fp32.onnx"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "bundle", MODEL)


@pytest.fixture
def stepper(bundle: Bundle) -> OnnxStepper:
    return open_stepper(bundle)


def changed(bundle: Bundle, name: str, data: bytes) -> Bundle:
    """The same bundle with another file, vouched for by its manifest."""
    files = {entry: (bundle.folder / entry).read_bytes() for entry in bundle.manifest.files}
    return bundles.write(bundle.folder, files | {name: data}, tiny_manifest(MODEL, ["fp32"]))


def edited(bundle: Bundle, name: str, edit: Callable[[ModelProto], None]) -> Bundle:
    model = onnx.load(bundle.folder / name)
    edit(model)
    return changed(bundle, name, model.SerializeToString())


def rename(model: ModelProto, old: str, new: str) -> None:
    """Call a tensor something else, everywhere."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [new if tensor == old else tensor for tensor in tensors]


def first_rows(slots: list[int]) -> Rows:
    n = len(slots)
    return Rows(np.array(slots), np.full(n, -1), np.full(n, BOS_ID))


def test_it_is_the_runtime_called_onnx() -> None:
    assert runtime("onnx") is open_stepper


@pytest.mark.parametrize("data", [b"", b"no protobuf", b"\x00" * 100], ids=repr)
@pytest.mark.parametrize("name", [ENCODER, STEP])
def test_bytes_that_are_no_graph(bundle: Bundle, name: str, data: bytes) -> None:
    with pytest.raises(BundleError, match=f"{name} is no graph this runtime can run"):
        open_stepper(changed(bundle, name, data))


def test_a_truncated_graph(bundle: Bundle) -> None:
    whole = (bundle.folder / STEP).read_bytes()
    with pytest.raises(BundleError, match=STEP):
        open_stepper(changed(bundle, STEP, whole[: len(whole) // 2]))


def test_an_operator_nobody_knows(bundle: Bundle) -> None:
    def edit(model: ModelProto) -> None:
        model.graph.node[0].op_type = "Teleport"

    with pytest.raises(BundleError, match=f"{STEP} is no graph this runtime can run.*Teleport"):
        open_stepper(edited(bundle, STEP, edit))


def test_weights_outside_the_graph_are_never_read(bundle: Bundle, tmp_path: Path) -> None:
    """A graph must not make us open a file that the manifest does not vouch for."""
    (tmp_path / "secret").write_bytes(b"\x00" * 1024)

    def edit(model: ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret")

    with pytest.raises(BundleError, match="keeps weights outside the graph"):
        open_stepper(edited(bundle, STEP, edit))


def test_names_that_are_no_text(bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    """Found by tests/property/test_bundles.py: an exception of Python's own, and a printed box."""
    whole = (bundle.folder / STEP).read_bytes()
    data = whole.replace(b"step.last_ids", b"step.last_i\x96s").replace(b"last_ids", b"last_i\x96s")
    assert data != whole
    with pytest.raises(BundleError, match=f"{STEP} is no graph this runtime can run"):
        open_stepper(changed(bundle, STEP, data))
    assert capfd.readouterr() == ("", "")


def test_operators_of_others_are_never_loaded(bundle: Bundle) -> None:
    def from_elsewhere(model: ModelProto) -> None:
        model.opset_import.add(domain="com.example.files", version=1)

    with pytest.raises(BundleError, match=r"needs operators of com\.example\.files, which is not"):
        open_stepper(edited(bundle, STEP, from_elsewhere))


def test_operators_that_a_file_defines_are_never_loaded(bundle: Bundle) -> None:
    def own(model: ModelProto) -> None:
        model.functions.add(name="Own", domain="com.microsoft")

    with pytest.raises(BundleError, match="defines operators of its own, which is not allowed"):
        open_stepper(edited(bundle, STEP, own))


def test_a_graph_file_that_is_gone(bundle: Bundle) -> None:
    (bundle.folder / STEP).unlink()
    with pytest.raises(BundleError, match=f"{STEP} cannot be read"):
        open_stepper(bundle)


def test_a_precision_that_was_not_exported(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="has no int8 graphs, only fp32"):
        open_stepper(bundle, "int8")


def test_a_device_this_machine_lacks(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="cannot use cuda here"):
        open_stepper(bundle, device="cuda")


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        (ENCODER, names.SRC_IDS, "words", "the encoder graph reads words"),
        (ENCODER, names.SRC_MASK, "memory.mask", "the encoder graph lacks memory.src_mask"),
        (STEP, names.LAST_IDS, "words", "the step graph reads words"),
        (STEP, names.TOP_IDS, "best", "the step graph lacks top_ids"),
        (STEP, "next.keys.0", "grown", "the step graph lacks next.keys.0"),
        (STEP, "memory.values.0", "memory.v", "the step graph reads memory.v"),
    ],
)
def test_a_graph_of_another_signature(
    bundle: Bundle, name: str, old: str, new: str, problem: str
) -> None:
    other = edited(bundle, name, lambda model: rename(model, old, new))
    with pytest.raises(BundleError, match=f"{problem}.*export it again"):
        open_stepper(other)


def test_a_start_that_the_encoder_does_not_give(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", tiny_gru(vocab_size=VOCAB_SIZE))
    other = edited(bundle, ENCODER, lambda model: rename(model, "start.hidden", "start.other"))
    with pytest.raises(BundleError, match=r"the encoder graph lacks start\.hidden"):
        open_stepper(other)


def test_a_graph_that_fails_while_it_runs(bundle: Bundle) -> None:
    """Positions beyond the tables: the same as any other failure inside ONNX Runtime."""
    stepper = open_stepper(bundle)
    with pytest.raises(EngineError, match="the model failed"):
        stepper.admit([[5] * 500])


def test_a_sentence_without_ids(stepper: OnnxStepper) -> None:
    with pytest.raises(InputError, match="no tokens"):
        stepper.admit([[5, EOS_ID], []])


@pytest.mark.parametrize("wrong", [-1, VOCAB_SIZE])
def test_an_id_outside_the_vocabulary(stepper: OnnxStepper, wrong: int) -> None:
    with pytest.raises(InputError, match=f"not in the vocabulary of {VOCAB_SIZE} pieces"):
        stepper.admit([[wrong, EOS_ID]])


def test_no_sentences_at_all(stepper: OnnxStepper) -> None:
    assert stepper.admit([]) == []


def test_a_row_of_a_sentence_that_is_not_running(stepper: OnnxStepper) -> None:
    (slot,) = stepper.admit([[5, EOS_ID]])
    stepper.retire([slot])
    with pytest.raises(EngineError, match=f"slot {slot} is not running"):
        stepper.step(first_rows([slot]), 2)


def test_no_more_continuations_than_the_vocabulary_has(stepper: OnnxStepper) -> None:
    output = stepper.step(first_rows(stepper.admit([[5, EOS_ID]])), VOCAB_SIZE + 7)
    assert output.ids.shape == (1, VOCAB_SIZE)
    assert stepper.vocab_size == VOCAB_SIZE


def test_slots_are_never_given_twice(stepper: OnnxStepper) -> None:
    first = stepper.admit([[5, EOS_ID]])
    stepper.retire(first)
    assert stepper.admit([[6, EOS_ID]]) != first


def test_a_step_leaves_what_it_returned_before_alone(stepper: OnnxStepper) -> None:
    slots = stepper.admit([[5, 6, EOS_ID]])
    before = stepper.step(first_rows(slots), 3)
    kept = before.ids.copy(), before.log_probs.copy()
    stepper.step(Rows(np.array(slots), np.array([0]), before.ids[0, :1]), 3)
    np.testing.assert_array_equal(before.ids, kept[0])
    np.testing.assert_array_equal(before.log_probs, kept[1])


def test_the_graphs_are_named_as_the_signature_says(bundle: Bundle) -> None:
    step = onnx.load(bundle.folder / STEP).graph
    assert {value.name for value in step.input} == {
        *(names.LAST_IDS, names.POSITIONS, names.LIVE, names.K, names.WITH_ATTENTION),
        names.WANTED_IDS,
        *(names.CACHE_PLACES, names.CACHE_BIAS),
        *(names.SRC_MASK, "memory.keys.0", "memory.values.0"),
        *("state.keys.0", "state.values.0"),
    }
    axes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in step.input
    }
    assert axes["state.keys.0"] == ["sentences", 2, names.CACHE_LEN, 8]
    assert axes["memory.keys.0"] == ["sentences", 2, names.SRC_LEN, 8]


def test_greedy_sentences_and_wider_ones_are_stepped_apart(stepper: OnnxStepper) -> None:
    """And what comes back is in the order of the rows, attention of two lengths included."""
    sources = [[5, 6, EOS_ID], [7, EOS_ID], [8, 9, 10, 11, EOS_ID]]
    wanted = []
    for source, most in zip(sources, (4, 1, 4), strict=True):
        slots = stepper.admit([source], [most])
        wanted.append(stepper.step(first_rows(slots), 3, with_attention=True))
        stepper.retire(slots)
    found = stepper.step(first_rows(stepper.admit(sources, [4, 1, 4])), 3, with_attention=True)
    assert found.attention is not None
    assert found.attention.shape == (3, 5)
    for i, one in enumerate(wanted):
        assert one.attention is not None
        np.testing.assert_array_equal(found.ids[i : i + 1], one.ids)
        np.testing.assert_array_equal(found.log_probs[i : i + 1], one.log_probs)
        length = one.attention.shape[1]
        np.testing.assert_allclose(found.attention[i, :length], one.attention[0], atol=1e-6)
        assert not found.attention[i, length:].any()


def test_wanted_ids_are_looked_up_by_graphs_that_can_and_by_those_that_cannot(
    bundle: Bundle,
) -> None:
    def forget(model: ModelProto) -> None:
        """As graphs were that knew of no wanted ids."""
        graph = model.graph
        for values, name in (
            (graph.input, names.WANTED_IDS),
            (graph.output, names.WANTED_LOG_PROBS),
        ):
            values.remove(next(value for value in values if value.name == name))
        graph.node.remove(next(n for n in graph.node if n.op_type == "GatherElements"))

    wanted = np.array([[5, 9], [0, 7], [EOS_ID, 5]])
    found = []
    for one in (bundle, edited(bundle, STEP, forget)):
        stepper = open_stepper(one)
        slots = stepper.admit([[5, 6, EOS_ID], [7, EOS_ID], [8, 9, EOS_ID]], [4, 1, 4])
        rows = first_rows(slots)
        rows = Rows(rows.slots, rows.parents, rows.last_ids, wanted)
        found.append(stepper.step(rows, 3))
        every = open_stepper(one)
        again = first_rows(every.admit([[5, 6, EOS_ID], [7, EOS_ID], [8, 9, EOS_ID]], [4, 1, 4]))
        output = every.step(again, VOCAB_SIZE)
        for row, asked in enumerate(wanted.tolist()):
            by_id = dict(zip(output.ids[row], output.log_probs[row], strict=True))
            assert found[-1].wanted is not None
            assert found[-1].wanted[row].tolist() == [by_id[i] for i in asked]
    for old, new in zip(found[0].ids, found[1].ids, strict=True):
        assert old.tolist() == new.tolist()
