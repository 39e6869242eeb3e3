"""The attention battery: runs every installed attention kernel on hard inputs, without a model."""
