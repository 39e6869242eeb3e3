"""The attention kernels of the battery, one file for each library; registry.py lists them."""
