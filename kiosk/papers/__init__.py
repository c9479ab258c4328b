"""What ends up on paper or as a picture: for now, the drawn signature."""
