"""The domain of Fieldloop and its HTTP face."""
