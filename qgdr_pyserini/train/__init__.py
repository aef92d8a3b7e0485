"""From a recipe and a training set to an encoder."""
