"""Generated event files of any size, and measurements of what Footfall does with them."""
