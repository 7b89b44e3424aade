#include "actors/jobs/accelerators.hpp"

#include <dlfcn.h>

#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

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
                    && out->find("nvmlDeviceGetUUID", out->uuid_)
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
    return failed == 0 ? out : beginning_with(name);
  }

  std::string file_of(device_handle device) const {
    unsigned minor = 0;
    return minor_(device, &minor) == 0 ? "/dev/nvidia" + std::to_string(minor) : std::string{};
  }

  std::optional<accelerator_usage> usage_of(const std::vector<device_handle>& devices) const {
    accelerator_usage out;
    out.share = 0;
    for (auto* each : devices) {
      utilization_rates rates{};
      memory_info memory{};
      if (memory_(each, &memory) != 0)
        return std::nullopt;
      out.memory += memory.used;
      if (utilization_(each, &rates) == 0 && out.share)
        *out.share += rates.accelerator / 100.0;
      else
        out.share.reset(); // a part of a device has memory only
    }
    return out;
  }

private:
  explicit nvml(void* handle) : handle_(handle) {}

  // CUDA takes the beginning of a UUID that is that of one device only.
  device_handle beginning_with(const std::string& name) const {
    std::vector<device_handle> found;
    for (unsigned index = 0; name.starts_with("GPU-") && index < count(); ++index) {
      device_handle each = nullptr;
      std::array<char, 96> uuid{};
      if (by_index_(index, &each) == 0 && uuid_(each, uuid.data(), uuid.size()) == 0
          && std::string_view{uuid.data()}.starts_with(name))
        found.push_back(each);
    }
    return found.size() == 1 ? found.front() : nullptr;
  }

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
  int (*uuid_)(device_handle, char*, unsigned) = nullptr;
  int (*minor_)(device_handle, unsigned*) = nullptr;
  int (*utilization_)(device_handle, utilization_rates*) = nullptr;
  int (*memory_)(device_handle, memory_info*) = nullptr;
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

struct accelerator_meter::shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::optional<accelerator_usage> newest;
};

accelerator_meter::accelerator_meter(std::vector<std::string> names, duration every,
                                     const char* library)
  : shared_(std::make_shared<shared>()) {
  std::thread{[names = std::move(names), every, library = std::string{library}, own = shared_] {
    auto found = nvml::load(library.c_str());
    std::vector<device_handle> devices;
    for (auto& each : names)
      if (!found || !devices.emplace_back(found->device(each)))
        return;
    for (std::unique_lock hold{own->mutex}; !own->over; own->changed.wait_for(hold, every)) {
      hold.unlock();
      auto used = found->usage_of(devices);
      hold.lock();
      own->newest = used;
    }
  }}.detach();
}

accelerator_meter::~accelerator_meter() {
  std::lock_guard hold{shared_->mutex};
  shared_->over = true;
  shared_->changed.notify_all();
}

std::optional<accelerator_usage> accelerator_meter::newest() {
  std::lock_guard hold{shared_->mutex};
  return std::exchange(shared_->newest, std::nullopt);
}

} // namespace troupe
