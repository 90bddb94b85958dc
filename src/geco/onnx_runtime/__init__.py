"""The embedded model without torch: exported networks on ONNX Runtime and numpy around them.
``export*`` alone needs torch.
"""
