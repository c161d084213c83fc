/* two.c - offences against one thread. */
static void start(void)
{
	pthread_t thread;

	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_create(&thread, NULL, run, NULL);
	zmq_msg_init_data(&part, at, len, released, NULL); /* libzmq calls released() from its own */
	thrd_create(&other, run, NULL);
}
