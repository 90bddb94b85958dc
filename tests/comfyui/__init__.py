"""The nodes for ComfyUI: against a description of its contract, and in ComfyUI itself."""
