/* store.h - planted: something to reach for. */
