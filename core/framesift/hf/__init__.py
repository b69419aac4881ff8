"""What is known of Hugging Face transformers: checkpoints, attention, templates, pixels."""
