"""What every surface needs: conversations that come whole, and an end by a signal."""
