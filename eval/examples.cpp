#include <algorithm>
#include <map>
#include <set>

#include "eval/report.h"

namespace gestalt::eval {
namespace {

struct Candidate {
  Stimulus stimulus;
  std::set<std::string> answers;  // the most frequent one of each group
};

// By stimulus, how often each answer was given.
using Votes = std::map<std::string, std::map<std::string, int>>;

Votes votes_of(const ObserverGroup& group) {
  Votes votes;
  for (const Observer& member : group.members) {
    for (const Decision& decision : member.decisions) {
      ++votes[decision.stimulus.name][decision.response];
    }
  }
  return votes;
}

std::map<std::string, Candidate> candidates_of(const Observations& observations) {
  std::map<std::string, Candidate> candidates;
  for (const ObserverGroup& group : observations.groups) {
    for (const Decision& decision : group.members.front().decisions) {
      if (!decision.stimulus.has_conflict()) continue;
      candidates[decision.stimulus.name].stimulus = decision.stimulus;
    }
    for (const auto& [name, votes] : votes_of(group)) {
      const auto candidate = candidates.find(name);
      if (candidate == candidates.end()) continue;
      const auto most = std::max_element(votes.begin(), votes.end(),
                                         [](auto& a, auto& b) { return a.second < b.second; });
      candidate->second.answers.insert(most->first);
    }
  }
  return candidates;
}

}  // namespace

std::vector<Stimulus> choose_examples(const Observations& observations,
                                      const std::vector<std::string>& available, size_t count) {
  const auto candidates = candidates_of(observations);
  std::map<std::string, const Candidate*> best;  // by shape
  for (const std::string& name : available) {
    const auto found = candidates.find(name);
    if (found == candidates.end()) continue;
    const Candidate*& kept = best[found->second.stimulus.shape];
    if (kept == nullptr || found->second.answers.size() > kept->answers.size()) {
      kept = &found->second;
    }
  }
  std::vector<const Candidate*> ranked;
  for (const auto& [shape, candidate] : best) ranked.push_back(candidate);
  std::stable_sort(ranked.begin(), ranked.end(), [](const Candidate* a, const Candidate* b) {
    return a->answers.size() > b->answers.size();
  });
  ranked.resize(std::min(count, ranked.size()));
  std::vector<Stimulus> chosen;
  for (const Candidate* candidate : ranked) chosen.push_back(candidate->stimulus);
  return chosen;
}

}  // namespace gestalt::eval
