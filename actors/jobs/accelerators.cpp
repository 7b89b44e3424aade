#include "actors/jobs/accelerators.hpp"

#include <dlfcn.h>

#include <charconv>
#include <sstream>

namespace troupe {
namespace {

// NVML's own types, as its interface documents them; 0 is success.
using device_handle = void*;

struct utilization_rates {
  unsigned accelerator; // percent of the last sampling period
  unsigned memory;
};

struct memory_info {
  unsigned long long total, free, used; // bytes
};

class nvml {
public:
  static std::unique_ptr<nvml> load(const char* library) {
    auto* handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      return nullptr;
    std::unique_ptr<nvml> out{new nvml{handle}};
    auto complete = out->find("nvmlInit_v2", out->init_)
                    && out->find("nvmlShutdown", out->shutdown_)
                    && out->find("nvmlDeviceGetCount_v2", out->count_)
                    && out->find("nvmlDeviceGetHandleByIndex_v2", out->by_index_)
                    && out->find("nvmlDeviceGetHandleByUUID", out->by_uuid_)
                    && out->find("nvmlDeviceGetMinorNumber", out->minor_)
                    && out->find("nvmlDeviceGetUtilizationRates", out->utilization_)
                    && out->find("nvmlDeviceGetMemoryInfo", out->memory_);
    out->ready_ = complete && out->init_() == 0;
    return out->ready_ ? std::move(out) : nullptr;
  }

  nvml(const nvml&) = delete;
  nvml& operator=(const nvml&) = delete;

  ~nvml() {
    if (ready_)
      shutdown_();
    ::dlclose(handle_);
  }

  unsigned count() const {
    unsigned out = 0;
    return count_(&out) == 0 ? out : 0;
  }

  device_handle device(const std::string& name) const {
    unsigned index = 0;
    auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), index);
    auto is_number = code == std::errc{} && end == name.data() + name.size();
    device_handle out = nullptr;
    auto failed = is_number ? by_index_(index, &out) : by_uuid_(name.c_str(), &out);
    return failed == 0 ? out : nullptr;
  }

  std::string file_of(device_handle device) const {
    unsigned minor = 0;
    return minor_(device, &minor) == 0 ? "/dev/nvidia" + std::to_string(minor) : std::string{};
  }

  bool add_usage(device_handle device, accelerator_usage& to) const {
    utilization_rates rates{};
    memory_info memory{};
    if (utilization_(device, &rates) != 0 || memory_(device, &memory) != 0)
      return false;
    to.share += rates.accelerator / 100.0;
    to.memory += memory.used;
    return true;
  }

private:
  explicit nvml(void* handle) : handle_(handle) {}

  template <class Function>
  bool find(const char* name, Function*& to) const {
    to = reinterpret_cast<Function*>(::dlsym(handle_, name));
    return to != nullptr;
  }

  void* handle_;
  bool ready_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*by_index_)(unsigned, device_handle*) = nullptr;
  int (*by_uuid_)(const char*, device_handle*) = nullptr;
  int (*minor_)(device_handle, unsigned*) = nullptr;
  int (*utilization_)(device_handle, utilization_rates*) = nullptr;
  int (*memory_)(device_handle, memory_info*) = nullptr;
};

class nvml_meter final : public accelerator_meter {
public:
  nvml_meter(std::unique_ptr<nvml> library, std::vector<device_handle> devices)
    : library_(std::move(library)), devices_(std::move(devices)) {}

  std::optional<accelerator_usage> measure() const override {
    accelerator_usage out;
    for (auto each : devices_)
      if (!library_->add_usage(each, out))
        return std::nullopt;
    return out;
  }

private:
  std::unique_ptr<nvml> library_;
  std::vector<device_handle> devices_;
};

} // namespace

std::vector<accelerator> machine_accelerators(const std::optional<std::string>& visible,
                                              const char* library) {
  std::vector<accelerator> out;
  auto found = nvml::load(library);
  if (!found)
    return out;
  std::vector<std::string> names;
  if (visible) {
    std::istringstream in{*visible};
    for (std::string name; std::getline(in, name, ',');)
      names.push_back(name);
  } else {
    for (unsigned index = 0; index < found->count(); ++index)
      names.push_back(std::to_string(index));
  }
  for (auto& name : names) {
    auto device = found->device(name);
    if (!device)
      break; // as CUDA does: what is behind a name that is none is not visible
    out.push_back({name, found->file_of(device)});
  }
  return out;
}

std::unique_ptr<accelerator_meter> accelerator_meter::open(const std::vector<std::string>& names,
                                                           const char* library) {
  auto found = nvml::load(library);
  if (!found)
    return nullptr;
  std::vector<device_handle> devices;
  for (auto& each : names)
    if (!devices.emplace_back(found->device(each)))
      return nullptr;
  return std::make_unique<nvml_meter>(std::move(found), std::move(devices));
}

} // namespace troupe
