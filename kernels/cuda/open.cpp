#include "kernels/cuda/plugin.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace troupe::cuda {
namespace {

std::string beside_the_program() {
  std::error_code failed;
  auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  return (program.parent_path() / "libtroupe_cuda.so").string();
}

} // namespace

result<std::unique_ptr<plugin>> open(const std::string& path) {
  auto where = path.empty() ? beside_the_program() : path;
  // Never closed: what it made has its code there.
  auto* library = dlopen(where.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const auto* why = dlerror();
    return {errc::not_found, "the plug-in for GPUs cannot be opened ("
                               + std::string(why ? why : where.c_str())
                               + "): build it with TROUPE_CUDA=ON, and install the library that is "
                                 "named or add its folder to LD_LIBRARY_PATH."};
  }
  auto* entry = reinterpret_cast<entry_type*>(dlsym(library, entry_name));
  std::unique_ptr<plugin> made(entry ? entry(interface_version) : nullptr);
  if (!made)
    return {errc::invalid, "the plug-in for GPUs at " + where
                             + " belongs to another build of Troupe: build both together."};
  return made;
}

} // namespace troupe::cuda
