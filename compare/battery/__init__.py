"""The attention battery, which runs every installed attention kernel on hard inputs, without a model."""
