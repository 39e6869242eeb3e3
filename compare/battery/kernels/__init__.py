"""Kernels: whatever computes attention, a file a library; registry.py lists them."""
