// Command lines: what every tool says of flags that it can't take.

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "kernels/parallel.h"
#include "tests/temporary_folder.h"
#include "tools/common/choice.h"
#include "tools/common/list_flag.h"
#include "tools/common/ranges.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

TEST(Flags, HelpSaysThatValuesAreCommaSeparated) {
  Tool tool("some_tool", "Does something.", CommonFlags::none);
  std::vector<std::string> names = {"a", "b"}, none;
  add_list(tool.app(), "--names", names, "of things");
  add_list(tool.app(), "--none", none, "of others");
  const std::string help = tool.app().help();
  EXPECT_NE(help.find("--names A,B"), std::string::npos) << help;
  EXPECT_NE(help.find("of things; comma-separated"), std::string::npos) << help;
  EXPECT_EQ(help.find("[]"), std::string::npos) << help;
  tool.app().parse("--names c,d");
  EXPECT_EQ(names, (std::vector<std::string>{"c", "d"}));
}

std::string help_of(Tool& tool) {
  std::string name = "some_tool", flag = "--help";
  char* argv[] = {name.data(), flag.data()};
  testing::internal::CaptureStdout();
  EXPECT_EQ(tool.run(2, argv, [] { return exit_failed; }), exit_done);
  return testing::internal::GetCapturedStdout();
}

TEST(Flags, OfAllToolsComeLastInTheHelp) {
  Tool tool("some_tool", "Does something.");
  std::string path;
  tool.app().add_option("--path", path)->group("Data");
  const std::string help = help_of(tool);
  ASSERT_NE(help.find("--path"), std::string::npos) << help;
  EXPECT_GT(help.find("Common:"), help.find("--path")) << help;
  for (const char* flag : {"--device", "--seed", "--threads", "--quiet"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << help;
  }
  Tool seedless("some_tool", "Does something.", CommonFlags::without_seed);
  const std::string without = help_of(seedless);
  EXPECT_NE(without.find("--device"), std::string::npos) << without;
  EXPECT_EQ(without.find("--seed"), std::string::npos) << without;
}

TEST(Flags, OfSomeNamesTakeTheseAlone) {
  Choice choice = Choice::automatic;
  CLI::App app;
  add_choice(app, "--choice,--old", choice, choice_names, "of something");
  EXPECT_NE(app.help().find("--choice,--old TEXT:{auto,on,off}=auto"), std::string::npos)
      << app.help();
  app.parse("");
  EXPECT_EQ(choice, Choice::automatic);
  for (const auto& [name, value] : choice_names) {
    app.parse("--choice " + name);
    EXPECT_EQ(choice, value);
    EXPECT_EQ(name_of(choice_names, choice), name);
  }
  for (const char* wrong : {"--choice 1", "--choice ON", "--old maybe"}) {
    EXPECT_THROW(app.parse(wrong), CLI::ValidationError) << wrong;
  }
  EXPECT_TRUE(is_on(Choice::on, false));
  EXPECT_TRUE(is_on(Choice::automatic, true));
  EXPECT_FALSE(is_on(Choice::automatic, false));
  EXPECT_FALSE(is_on(Choice::off, true));
}

// How a tool with these flags ends, and what it says.
std::pair<int, std::string> run_with(std::vector<std::string> arguments) {
  Tool tool("some_tool", "Does something.");
  std::vector<std::string> names = {"a", "b"};
  std::vector<double> numbers;
  std::string other;
  int64_t count = 0;
  int threads_of_its_own = 0;
  uint64_t index = 0;
  uint32_t draws = 0;
  double rate = 0;
  std::vector<double> sides;
  add_list(tool.app(), "--names", names, "of things");
  add_list(tool.app(), "--numbers", numbers, "of others", at_least(0));
  add_list(tool.app(), "--any", numbers, "of any");
  CLI::App& app = tool.app();
  app.add_option("--other", other);
  app.add_option("-n,--count", count)->check(at_least(1));
  app.add_option("--workers", threads_of_its_own);
  app.add_option("--index", index);
  app.add_option("--draws", draws);
  app.add_option("--rate", rate);
  app.add_option("--sides", sides)->expected(2);
  app.add_subcommand("part")->add_option("--size", count);
  arguments.insert(arguments.begin(), {"some_tool", "--device", "cpu"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  std::string text;
  const int threads = num_threads();
  testing::internal::CaptureStderr();
  const int code = tool.run(static_cast<int>(argv.size()), argv.data(), [&] {
    for (const std::string& name : names) text += "<" + name + ">";
    for (const double value : numbers) text += " " + std::to_string(static_cast<int>(value));
    text += other;
    if (count + threads_of_its_own != 0) {
      text += " " + std::to_string(count) + " " + std::to_string(threads_of_its_own);
    }
    return exit_done;
  });
  set_num_threads(threads);
  return {code, text + testing::internal::GetCapturedStderr()};
}

// stdout is PATH as long as it is around.
class StdoutTo {
 public:
  explicit StdoutTo(const char* path) {
    std::fflush(stdout);
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  ~StdoutTo() {
    __fpurge(stdout);  // what it did not take
    std::clearerr(stdout);
    dup2(before_, STDOUT_FILENO);
    close(before_);
  }

 private:
  int before_ = dup(STDOUT_FILENO);
};

TEST(Stdout, ThatTakesNoResultsIsAnError) {
  const auto run = [](const char* path, int code) {
    Tool tool("some_tool", "Does something.", CommonFlags::none);
    std::string name = "some_tool";
    char* argv[] = {name.data()};
    testing::internal::CaptureStderr();
    const StdoutTo there(path);
    const int result = tool.run(1, argv, [code] {
      std::printf("results\n");
      return code;
    });
    return std::pair(result, testing::internal::GetCapturedStderr());
  };
  EXPECT_EQ(run("/dev/full", exit_done),
            std::pair(int{exit_failed}, std::string("some_tool: cannot write to stdout: No space "
                                                    "left on device\n")));
  EXPECT_EQ(run("/dev/full", exit_interrupted), std::pair(int{exit_interrupted}, std::string()));
  EXPECT_EQ(run("/dev/null", exit_done), std::pair(int{exit_done}, std::string()));
}

void fails(const std::vector<std::string>& arguments, const std::string& reason) {
  const auto [code, text] = run_with(arguments);
  EXPECT_EQ(code, exit_usage);
  EXPECT_EQ(text, "some_tool: " + reason + " (--help lists the flags)\n");
}

// One thread: more would start this process again.
std::string good(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--threads", "1"});
  const auto [code, text] = run_with(arguments);
  EXPECT_EQ(code, exit_done) << text;
  return text;
}

TEST(Flags, OfSeveralValuesTakeNoEmptyOnesAndNotTheNextFlag) {
  fails({"--names", ",", "--other", "x"}, "--names: an empty value in ','");
  fails({"--names", "c,,d"}, "--names: an empty value in 'c,,d'");
  fails({"--names=c,"}, "--names: an empty value in 'c,'");
  fails({"--numbers", "1,-2"}, "--numbers: must be 0 or more, got -2");
  fails({"--numbers", "1,x"}, "--numbers: must be 0 or more, got x");
  EXPECT_EQ(good({}), "<a><b>");
  EXPECT_EQ(good({"--names", "c,d", "--names", "e", "--numbers=2,3"}), "<c><d><e> 2 3");
  EXPECT_EQ(good({"--names", ""}), "<>");
}

TEST(Flags, SayWhatIsWrongWithANumber) {
  fails({"-n", "1.5"}, "--count: must be a whole number, got 1.5");
  fails({"-n", "0"}, "--count: must be 1 or more, got 0");
  fails({"-n", "x"}, "--count: must be 1 or more, got x");
  fails({"-n", "99999999999999999999"},
        "--count: must be a whole number, got 99999999999999999999");
  fails({"--workers", "1e3"}, "--workers: must be a whole number, got 1e3");
  fails({"--workers", "0x10"}, "--workers: must be a whole number, got 0x10");
  fails({"--index", "-1"},
        "--index: must be a whole number from 0 to 18446744073709551615, got -1");
  for (const char* number : {"99999999999", "2147483648", "-2147483649"}) {
    fails({"--workers", number},
          std::string("--workers: must be a whole number from -2147483648 to 2147483647, got ") +
              number);
  }
  fails({"--draws", "4294967296"},
        "--draws: must be a whole number from 0 to 4294967295, got 4294967296");
  fails({"--rate", "1,5"}, "--rate: must be a number, got 1,5");
  fails({"--any", "1,2 m"}, "--any: must be a number, got 2 m");
  fails({"part", "--size", "1.5"}, "--size: must be a whole number, got 1.5");
  for (const char* number : {"1.", ".5", "1e-3", "+2", "-3"}) good({"--rate", number});
  EXPECT_EQ(good({"--any", "1.,+2"}), "<a><b> 1 2");
}

TEST(Flags, ReadAZeroInFrontAsWhatItIs) {
  EXPECT_EQ(good({"-n", "010", "--workers", "-0012"}), "<a><b> 10 -12");
  EXPECT_EQ(good({"-n", "+08", "--workers", "000"}), "<a><b> 8 0");
  EXPECT_EQ(good({"-n", "99999999999", "--workers", "2147483647"}),
            "<a><b> 99999999999 2147483647");
  fails({"-n", "00"}, "--count: must be 1 or more, got 0");
  fails({"--workers", "0x10"}, "--workers: must be a whole number, got 0x10");
  fails({"--workers", "01.5"}, "--workers: must be a whole number, got 01.5");
}

TEST(Flags, ThatComeTooOftenTellTheirValues) {
  fails({"--rate", "0.1", "--rate", "0.2"}, "--rate: takes one value, got 0.1, 0.2");
  fails({"-n", "2", "--count", "3"}, "--count: takes one value, got 2, 3");
  fails({"--other", "a", "--other=b", "--other", "c"}, "--other: takes one value, got a, b, c");
  fails({"--sides", "1", "2", "--sides", "3", "4"}, "--sides: takes 2 values, got 1, 2, 3, 4");
  fails({"part", "--size", "1", "--size", "2"}, "--size: takes one value, got 1, 2");
  good({"--sides", "1", "2"});
}

TEST(Flags, TellTheirRangeInTheHelpAndRefuseWhatLiesOutside) {
  struct Range {
    CLI::Validator check;
    std::string words;
    std::vector<std::string> inside, outside;
  };
  const std::vector<Range> ranges = {
      {at_least(8), "8 or more", {"8", "9000000000"}, {"7", "-8"}},
      {positive(), "above 0 and finite", {"1e-300", "5"}, {"0", "-1"}},
      {not_negative(), "0 or more and finite", {"0", "0.5"}, {"-1e-300"}},
      {in_range(16, 4096), "16 to 4096", {"16", "4096"}, {"15", "4097"}},
      {in_range(0, 1, Ends::lower), "0 or more and below 1", {"0", "0.99"}, {"-0.1", "1"}},
      {in_range(0, 1, Ends::upper), "above 0 and up to 1", {"1e-9", "1"}, {"0", "1.01"}},
      {thread_count(), "0 to 1024", {"0", "1024"}, {"-1", "1025"}}};
  for (const Range& range : ranges) {
    Tool tool("some_tool", "Does something.", CommonFlags::none);
    double value = 0;
    std::vector<double> values;
    tool.app().add_option("--value", value)->check(range.check);
    add_list(tool.app(), "--values", values, "of things", range.check);
    const std::string help = tool.app().help();
    EXPECT_NE(help.find("--value FLOAT:" + range.words), std::string::npos) << help;
    EXPECT_NE(help.find("--values A,B:" + range.words), std::string::npos) << help;
    for (const std::string& text : range.inside) {
      EXPECT_EQ(range.check(text), "") << range.words;
    }
    std::vector<std::string> refused = range.outside;
    refused.insert(refused.end(), {"nan", "-nan", "inf", "-inf", "x", "1 m", ""});
    for (const std::string& text : refused) {
      EXPECT_EQ(range.check(text), "must be " + range.words + ", got " + text);
    }
  }
}

// Which CLI11 takes for a list.
TEST(Flags, OfSeveralPathsTakeOneInBrackets) {
  const tests::TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  std::ofstream("[a] b [c,d]") << "";
  std::ofstream("[e]") << "";
  std::vector<std::string> paths;
  Tool tool("some_tool", "Does something.", CommonFlags::none);
  tool.app().add_option("-i,--input", paths)->default_str("");
  std::vector<std::string> arguments = {"some_tool", "-i", "[a] b [c,d]", "[none]", "--input=[e]"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const int code =
      tool.run(static_cast<int>(argv.size()), argv.data(), [] { return int{exit_done}; });
  std::filesystem::current_path(before);
  EXPECT_EQ(code, exit_done);
  EXPECT_EQ(paths, (std::vector<std::string>{"./[a] b [c,d]", "none", "./[e]"}));
  EXPECT_EQ(tool.command_line(), "some_tool -i '[a] b [c,d]' '[none]' '--input=[e]'");
}

TEST(Flags, NoMachineHasSoManyThreads) {
  const auto [code, text] = run_with({"--threads", "100000"});
  EXPECT_EQ(code, exit_usage);
  EXPECT_EQ(text, "some_tool: --threads: must be 0 to 1024, got 100000 (--help lists the flags)\n");
}

}  // namespace
}  // namespace gestalt::tools
