"""What a technique really does, measured on the objects that the study trains with; it loads TensorFlow."""
