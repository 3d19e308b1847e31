using Garden.KvCache;

namespace Garden.Generators.Integration;

[KvTransfer<DeepSeekV3, DeepSeekV3Tp4>]
public readonly partial struct DeepSeekToTp4;

[KvTransfer<Llama70Tp8, Llama70Tp4>]
public partial struct LlamaTp8ToTp4;

[KvTransfer<Llama70Tp4, Llama70Tp8>]
public partial struct LlamaTp4ToTp8;

[KvTransfer<Llama70Tp1, Llama70Tp8>]
public partial struct LlamaTp1ToTp8;

[KvTransfer<Qwen235, Qwen235Tp8>]
public partial record struct QwenTp4ToTp8;

[KvTransfer<InterleavedNhd, InterleavedHnd>]
public partial struct NhdToHnd;

[KvTransfer<InterleavedHnd, InterleavedNhd>]
public partial struct HndToNhd;

[KvTransfer<InterleavedNhd, SeparateNhd>]
public partial struct InterleavedToSeparate;

[KvTransfer<SeparateNhd, InterleavedNhd>]
public partial struct SeparateToInterleaved;

[KvTransfer<InterleavedHnd, SeparateHndTp2>]
public partial struct HndToHndTp2;

[KvTransfer<SeparateHndTp2, PageMajorSeparate>]
public partial struct HndTp2ToPageMajor;

[KvTransfer<PageMajorInterleaved, InterleavedNhd>]
public partial struct PageMajorToLayerMajor;

[KvTransfer<InterleavedNhd, PageMajorInterleaved>]
public partial struct LayerMajorToPageMajor;

[KvTransfer<PageMajorSeparate, PageMajorInterleaved>]
public partial struct PageMajorSeparateToInterleaved;

[KvTransfer<PageMajorSeparate, SeparateNhd>]
public partial struct PageMajorToSeparate;

[KvTransfer<PageMajorHndTp8, InterleavedNhd>]
public partial struct Tp8ToTp1;

[KvTransfer<InterleavedNhd, PageMajorHndTp8>]
public partial struct Tp1ToTp8;

[KvTransfer<PageMajorHndTp8, InterleavedTp16>]
public partial struct Tp8ToTp16;

[KvTransfer<InterleavedTp16, SeparateHndTp2>]
public partial struct Tp16ToTp2;

[KvTransfer<OneTokenTp4, OneLayerTp6>]
public partial struct Tp4ToTp6;

[KvTransfer<OneLayerTp6, OneTokenTp4>]
public partial struct Tp6ToTp4;

[KvTransfer<OneTokenHnd, FiveTokens>]
public partial struct OneTokenHndToNhd;

[KvTransfer<FiveTokens, OneTokenHnd>]
public partial struct NhdToOneTokenHnd;

[KvTransfer<SmallLatent, SmallLatentPageMajor>]
public partial struct LatentTp2ToTp3;

[KvTransfer<SmallLatentPageMajor, SmallLatent>]
public partial struct LatentTp3ToTp2;

[KvTransfer<LongRows, LongRowsPageMajor>]
public partial struct LongToPageMajor;

/// <summary>The same layout on both sides: as the layout's own plan, it moves whole pages.</summary>
[KvTransfer<SeparateNhd, SeparateNhd>]
public partial struct SameToSame;
