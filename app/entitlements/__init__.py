"""What customers are still owed: hours, visits, repairs. Grants and spends are kept; what is left is counted from them anew."""
