/* other.c - a copied opening. */
