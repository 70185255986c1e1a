// Free memory as /proc and the control groups tell it, on trees made here.

#include "kernels/cpu/memory_info.h"

#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "tests/temporary_folder.h"

namespace gestalt::cpu {
namespace {

constexpr size_t megabyte = 1 << 20;

class MemoryLimits : public testing::Test {
 protected:
  MemoryLimits() {
    write("proc/meminfo",
          "MemTotal:       8192000 kB\nMemFree:          10240 kB\nMemAvailable:   4096000 kB\n"
          "HugePages_Total:       0\n");
  }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  void limit(const std::string& group, size_t most, size_t used) const {
    write("sys/fs/cgroup/" + group + "/memory.max", std::to_string(most) + "\n");
    write("sys/fs/cgroup/" + group + "/memory.current", std::to_string(used) + "\n");
  }
  void expect(size_t free, size_t total) const {
    const MemoryInfo info = memory_info(folder_.path());
    EXPECT_EQ(info.free, free * megabyte);
    EXPECT_EQ(info.total, total * megabyte);
    EXPECT_EQ(info.taken, (total - free) * megabyte);
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(MemoryLimits, WithoutControlGroupsAreTheMachines) {
  expect(4000, 8000);
  write("proc/self/cgroup", "0::/\n");
  expect(4000, 8000);
  write("sys/fs/cgroup/memory.max", "max\n");
  expect(4000, 8000);
}

TEST_F(MemoryLimits, OfTheTightestGroupOnThePathCount) {
  write("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  write("sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n");
  limit("slurm/job_7", 1000 * megabyte, 300 * megabyte);
  limit("slurm", 6000 * megabyte, 5500 * megabyte);
  expect(500, 1000);  // of all jobs together
  limit("slurm", 6000 * megabyte, 2000 * megabyte);
  expect(700, 1000);
  limit("slurm/job_8", megabyte, megabyte);  // another one
  expect(700, 1000);
  limit("slurm/job_7", 1000 * megabyte, 1001 * megabyte);
  expect(0, 1000);
  limit("slurm/job_7", 8000 * megabyte, 100 * megabyte);
  limit("slurm", 8000 * megabyte, 100 * megabyte);
  expect(4000, 8000);  // the machine's
}

// Reading a set of images fills a job's limit with what can be dropped at once.
TEST_F(MemoryLimits, CachedFilesAreFree) {
  write("proc/self/cgroup", "0::/job\n");
  limit("job", 1000 * megabyte, 990 * megabyte);
  write("sys/fs/cgroup/job/memory.stat",
        "anon 1\nfile 943718400\ninactive_file 419430400\nactive_file 314572800\n");
  expect(710, 1000);
}

TEST_F(MemoryLimits, InAContainerTheUpperEndOfThePathIsThere) {
  write("proc/self/cgroup", "0::/docker/0123abcd\n");
  limit(".", 2000 * megabyte, 500 * megabyte);
  expect(1500, 2000);
}

TEST_F(MemoryLimits, OfVersionOneCount) {
  write("proc/self/cgroup",
        "5:cpu,cpuacct:/job\n4:cpuset,memory:/pbs/job\n1:name=systemd:/init.scope\n0::/\n");
  const std::string job = "sys/fs/cgroup/memory/pbs/job/", top = "sys/fs/cgroup/memory/";
  write(job + "memory.limit_in_bytes", std::to_string(3000 * megabyte));
  write(job + "memory.usage_in_bytes", std::to_string(1000 * megabyte));
  write(job + "memory.stat", "cache 1\ntotal_inactive_file 104857600\ntotal_active_file 0\n");
  write(top + "memory.limit_in_bytes", "9223372036854771712\n");
  write(top + "memory.usage_in_bytes", std::to_string(7000 * megabyte));
  expect(2100, 3000);
}

// What this machine says.
TEST(MemoryInfo, IsRead) {
  const MemoryInfo info = memory_info("/");
  EXPECT_GT(info.free, megabyte);
  EXPECT_GE(info.total, info.free);
}

}  // namespace
}  // namespace gestalt::cpu
