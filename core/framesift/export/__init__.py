"""Results that leave the process: files, what serving engines take, keyframes kept on disk."""
