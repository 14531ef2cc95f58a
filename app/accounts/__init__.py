"""The life of an account: invited, accepted, edited, a password lost, left, come back."""
