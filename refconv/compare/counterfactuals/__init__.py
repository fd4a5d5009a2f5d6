"""What a layer would give if one convention, weight or attribute were another: `table` lists them."""
