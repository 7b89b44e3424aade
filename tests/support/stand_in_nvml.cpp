// A stand-in for NVIDIA's management library, for machines without it: two accelerators, 0 and 1,
// of which the second is also GPU-second, with the device files nvidia40 and nvidia41.
#include <array>
#include <cstring>

namespace {

std::array<int, 2> devices;

unsigned index_of(const void* device) {
  return static_cast<unsigned>(static_cast<const int*>(device) - devices.data());
}

} // namespace

extern "C" {

int nvmlInit_v2() {
  return 0;
}

int nvmlShutdown() {
  return 0;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = devices.size();
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= devices.size())
    return 2; // NVML_ERROR_INVALID_ARGUMENT
  *device = &devices[index];
  return 0;
}

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  *device = &devices[1];
  return std::strcmp(uuid, "GPU-second") == 0 ? 0 : 6; // NVML_ERROR_NOT_FOUND
}

int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  std::strncpy(text, index_of(device) == 0 ? "GPU-first" : "GPU-second", size);
  return 0;
}

int nvmlDeviceGetMinorNumber(void* device, unsigned* number) {
  *number = 40 + index_of(device);
  return 0;
}

int nvmlDeviceGetUtilizationRates(void* device, std::array<unsigned, 2>* percent) {
  *percent = {50 + 25 * index_of(device), 10};
  return 0;
}

int nvmlDeviceGetMemoryInfo(void* device, std::array<unsigned long long, 3>* bytes) {
  *bytes = {16'000, 12'000, 4'000 + index_of(device)};
  return 0;
}

} // extern "C"
