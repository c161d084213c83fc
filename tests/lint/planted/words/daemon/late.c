/* late.c - planted: a promise to oneself, and a call that is never right. */
/* TODO: later */
static void copy(char *to, const char *from)
{
	strcpy(to, from); /* good enough for now */
}
