// Marks a function that GPUs run as well as the CPU: one definition for all backends.
#pragma once

#ifdef __CUDACC__
#define TROUPE_ON_DEVICE __host__ __device__
#else
#define TROUPE_ON_DEVICE
#endif
