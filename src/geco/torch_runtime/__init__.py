"""Every model on torch, behind the same face as the embedded one."""
