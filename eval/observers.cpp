#include "eval/observers.h"

#include <algorithm>
#include <map>
#include <set>

#include "eval/text.h"
#include "kernels/error.h"

namespace gestalt::eval {
namespace {

namespace fs = std::filesystem;

using Names = std::set<std::string>;

// model-vs-human names people so; their files are one observer group.
std::string group_name(const std::string& subject) {
  return subject.starts_with("subject-") ? humans : subject;
}

std::vector<fs::path> csv_files(const fs::path& folder) {
  std::error_code fault;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, fault); !fault && entry != fs::directory_iterator();
       entry.increment(fault)) {
    const fs::path path = entry->path();
    if (path.extension() == ".csv" && !path.filename().string().starts_with('.')) {
      files.push_back(path);
    }
  }
  GESTALT_CHECK(!fault, "cannot read '{}': {}", folder.string(), fault.message());
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  return files;
}

class Reader {
 public:
  explicit Reader(const Categories& categories) : categories_(categories) {}

  void add(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return add_file(path);
    std::vector<fs::path> files;
    try {
      files = csv_files(path);
    } catch (const Error& error) {
      return leave_out(path, error.what());
    }
    if (files.empty())
      leave_out(path, format("'{}': no .csv file is in this folder", path.string()));
    for (const fs::path& file : files) add_file(file);
  }

  std::vector<Observer> observers;
  std::vector<LeftOut> left_out;

 private:
  void leave_out(const fs::path& path, const std::string& reason) {
    left_out.push_back({path.string(), reason});
  }

  void add_file(const fs::path& path) {
    try {
      std::vector<Decision> decisions = read_decisions(path, categories_);
      check_new(path, decisions);
      for (Decision& decision : decisions) keep(path, std::move(decision));
    } catch (const Error& error) {
      leave_out(path, error.what());
    }
  }

  // A file that is given twice, or a copy of it, must not count twice.
  void check_new(const fs::path& path, const std::vector<Decision>& decisions) const {
    for (const Decision& decision : decisions) {
      const auto seen = files_of_.find({decision.subject, decision.stimulus.name});
      if (seen == files_of_.end()) continue;
      throw Error(format("'{}': '{}' of '{}' has been read from '{}' already", path.string(),
                         decision.stimulus.name, decision.subject, seen->second));
    }
  }

  void keep(const fs::path& path, Decision decision) {
    files_of_[{decision.subject, decision.stimulus.name}] = path.string();
    auto observer = std::find_if(observers.begin(), observers.end(), [&](const Observer& each) {
      return each.name == decision.subject;
    });
    if (observer == observers.end()) {
      observer = observers.insert(observers.end(), Observer{decision.subject, {}, {}});
    }
    if (observer->files.empty() || observer->files.back() != path) observer->files.push_back(path);
    observer->decisions.push_back(std::move(decision));
  }

  const Categories& categories_;
  std::map<std::pair<std::string, std::string>, std::string> files_of_;  // by subject, stimulus
};

Names stimuli_of(const Observer& observer) {
  Names names;
  for (const Decision& decision : observer.decisions) names.insert(decision.stimulus.name);
  return names;
}

// Removes observers that lack stimuli which others saw, naming them.
size_t leave_out_partial(std::vector<Observer>& observers, std::vector<LeftOut>& left_out) {
  Names all;
  for (const Observer& observer : observers) all.merge(stimuli_of(observer));
  const bool some_saw_all = std::any_of(
      observers.begin(), observers.end(),
      [&](const Observer& observer) { return observer.decisions.size() == all.size(); });
  GESTALT_CHECK(some_saw_all,
                "no observer saw all {} stimuli that are in these files; count on the common ones",
                all.size());
  std::erase_if(observers, [&](const Observer& observer) {
    if (observer.decisions.size() == all.size()) return false;
    const std::string file = observer.files.back().string();
    left_out.push_back({file, format("'{}': partial, '{}' has {} of the {} stimuli", file,
                                     observer.name, observer.decisions.size(), all.size())});
    return true;
  });
  return all.size();
}

size_t keep_common(std::vector<Observer>& observers) {
  Names common = stimuli_of(observers.front());
  for (const Observer& observer : observers) {
    const Names names = stimuli_of(observer);
    std::erase_if(common, [&](const std::string& name) { return !names.contains(name); });
  }
  GESTALT_CHECK(!common.empty(), "no stimulus was seen by every observer");
  for (Observer& observer : observers) {
    std::erase_if(observer.decisions, [&](const Decision& decision) {
      return !common.contains(decision.stimulus.name);
    });
  }
  return common.size();
}

}  // namespace

const ObserverGroup* Observations::find(const std::string& name) const {
  for (const ObserverGroup& group : groups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

Observations read_observations(const std::vector<fs::path>& paths, const Categories& categories,
                               StimulusSet stimuli) {
  Reader reader(categories);
  for (const fs::path& path : paths) reader.add(path);
  GESTALT_CHECK(!reader.observers.empty(), "no decisions could be read: {}",
                reader.left_out.empty() ? "no files were given" : reader.left_out.front().reason);

  Observations result;
  result.left_out = std::move(reader.left_out);
  result.stimuli = stimuli == StimulusSet::all
                       ? leave_out_partial(reader.observers, result.left_out)
                       : keep_common(reader.observers);
  for (Observer& observer : reader.observers) {
    const std::string name = group_name(observer.name);
    auto group = std::find_if(result.groups.begin(), result.groups.end(),
                              [&](const ObserverGroup& each) { return each.name == name; });
    if (group == result.groups.end()) {
      group = result.groups.insert(result.groups.end(), ObserverGroup{name, {}});
    }
    group->members.push_back(std::move(observer));
  }
  return result;
}

}  // namespace gestalt::eval
