"""The attention battery: hard inputs for attention alone, through every kernel that is here, without a model."""
