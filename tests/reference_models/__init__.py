"""Models in plain PyTorch, as users write them: what import is held against."""
