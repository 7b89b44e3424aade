#include "actors/jobs/device_limit.hpp"

#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace troupe {
namespace {

bpf_insn instruction(int code, int to, int from, int16_t offset, int32_t value) {
  bpf_insn out{};
  out.code = static_cast<__u8>(code);
  out.dst_reg = static_cast<__u8>(to & 0xf);
  out.src_reg = static_cast<__u8>(from & 0xf);
  out.off = offset;
  out.imm = value;
  return out;
}

// Allows everything but these. Register 1 points to a bpf_cgroup_dev_ctx.
std::vector<bpf_insn> program_for(const std::vector<dev_t>& devices) {
  auto load = [](int to, size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, static_cast<int16_t>(offset), 0);
  };
  auto jump_unless = [](int what, unsigned value, int16_t by) {
    return instruction(BPF_JMP | BPF_JNE | BPF_K, what, 0, by, static_cast<int32_t>(value));
  };
  auto answer
    = [](int value) { return instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value); };
  auto leave = instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  constexpr int kind = BPF_REG_2, major_number = BPF_REG_3, minor_number = BPF_REG_4;
  constexpr int kind_mask = 0xffff; // what is wanted of it is above
  std::vector<bpf_insn> out{load(kind, offsetof(bpf_cgroup_dev_ctx, access_type)),
                            instruction(BPF_ALU64 | BPF_AND | BPF_K, kind, 0, 0, kind_mask),
                            load(major_number, offsetof(bpf_cgroup_dev_ctx, major)),
                            load(minor_number, offsetof(bpf_cgroup_dev_ctx, minor))};
  for (auto each : devices)
    out.insert(out.end(),
               {jump_unless(kind, BPF_DEVCG_DEV_CHAR, 4), jump_unless(major_number, major(each), 3),
                jump_unless(minor_number, minor(each), 2), answer(0), leave});
  out.insert(out.end(), {answer(1), leave});
  return out;
}

int call_bpf(bpf_cmd command, bpf_attr& with) {
  return static_cast<int>(::syscall(SYS_bpf, command, &with, sizeof with));
}

error failed(const std::string& what) {
  return {errc::unavailable, "devices cannot be kept from a task: " + what + ": "
                               + std::strerror(errno) + "; run the node as root"};
}

} // namespace

result<void> deny_devices(const std::string& group, const std::vector<dev_t>& devices) {
  auto program = program_for(devices);
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uintptr_t>(program.data());
  load.insn_cnt = static_cast<__u32>(program.size());
  load.license = reinterpret_cast<uintptr_t>("GPL");
  owned_fd loaded{call_bpf(BPF_PROG_LOAD, load)};
  if (!loaded)
    return failed("the kernel takes no program");
  owned_fd folder{::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  bpf_attr attach{};
  attach.target_fd = static_cast<__u32>(folder.get());
  attach.attach_bpf_fd = static_cast<__u32>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI; // each that is above has its say too
  if (!folder || call_bpf(BPF_PROG_ATTACH, attach) != 0)
    return failed("the group takes no program");
  return {};
}

} // namespace troupe
