#pragma once

// Functions of an element and its channel, over rows and images.
//
// map.at(channel) is a function from an element to an element. Its lanes<count>(from) is the same
// for elements of that channel side by side, map.lanes<count>(from, channel) for as many channels
// of a pixel, both as lanes.h stores them.

#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rectify.h"
#include "kernels/types.h"

namespace gestalt::cpu {

template <class T>
struct Identity {
  const Identity& at(int64_t) const { return *this; }
  T operator()(T x) const { return x; }
  template <int count>
  Lanes<Stored<T>, count> lanes(const T* from, int64_t = 0) const {
    Lanes<Stored<T>, count> values;
    std::memcpy(&values, from, sizeof(values));
    return values;
  }
};

// relu(map(x)); each step is rounded to T, as separate ops do.
template <class T, class Map>
struct Rectified {
  using OfChannel = std::remove_cvref_t<decltype(std::declval<Map>().at(0))>;

  struct Channel {
    OfChannel map;
    T operator()(T x) const { return rectified(map(x)); }
    template <int count>
    auto lanes(const T* from) const {
      return rectified_lanes<T>(map.template lanes<count>(from));
    }
  };
  Channel at(int64_t channel) const { return {map.at(channel)}; }
  template <int count>
  auto lanes(const T* from, int64_t channel) const {
    return rectified_lanes<T>(map.template lanes<count>(from, channel));
  }

  const Map& map;
};

// to[i] = map(from[i]), of one channel; from may be to.
template <class T, class ChannelMap>
void map_row(const ChannelMap& map, const T* from, int64_t count, T* to) {
  for_lanes<T>(count, [&]<int lanes>(LaneCount<lanes>, int64_t i) {
    store_lanes<lanes>(map.template lanes<lanes>(from + i), to + i);
  });
}

// y = map(x), dense [N,C,H,W] of the same format; y may be x.
template <class T, class Map>
void map_image(const View& x, const View& y, const Map& map) {
  const int64_t channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  const T* in = x.as<T>();
  T* out = y.as<T>();
  if (x.is_contiguous()) {
    parallel_for(x.shape[0] * channels, 1 + 16384 / pixels, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        map_row<T>(map.at(r % channels), in + r * pixels, pixels, out + r * pixels);
      }
    });
  } else {
    parallel_for(x.shape[0] * pixels, 1 + 16384 / channels, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const T* from = in + p * channels;
        T* to = out + p * channels;
        for_lanes<T>(channels, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
          store_lanes<lanes>(map.template lanes<lanes>(from + c, c), to + c);
        });
      }
    });
  }
}

}  // namespace gestalt::cpu
