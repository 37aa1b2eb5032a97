"""What a viewer needs: states, served volumes, points by place, thumbnails, cut-outs."""
