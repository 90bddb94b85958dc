"""What a training at full size takes, known before anything is loaded: its own code on fake tensors."""
