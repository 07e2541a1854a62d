"""Checkpoint to bundle: ONNX graphs built from the weights, int8, parity, model card."""
