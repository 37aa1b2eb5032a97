"""What stands before Galaxy: signs people in through the hub and says to Galaxy who they are."""
