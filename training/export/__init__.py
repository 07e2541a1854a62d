"""From a trained checkpoint to a bundle of ONNX graphs: the only door to serving.

Read in this order: `mt.graph_signature` says what the graphs are, `graph` writes nodes, `signature`
declares what both families share, `transformer` and `gru` are the families, `quantize` is 8 bits,
`parity` is the gate, and `assemble` puts all of it into a folder.
"""

from training.export.assemble import export

__all__ = ["export"]
