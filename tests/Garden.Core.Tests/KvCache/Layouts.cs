using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

/// <summary>Small enough to check every byte, with pages above and layers below the unit size.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 4, KvHeads = 2, HeadSize = 64, TokensPerPage = 16)]
public partial struct SmallPages;

/// <summary>The same model with pages four times as long.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 4, KvHeads = 2, HeadSize = 64, TokensPerPage = 64)]
public partial struct LongPages;

/// <summary>Odd page size, so that page boundaries of the two sides rarely meet.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 4, KvHeads = 2, HeadSize = 64, TokensPerPage = 24)]
public partial struct OddPages;

[KvTransfer<SmallPages, LongPages>]
public partial struct SmallToLong;

[KvTransfer<LongPages, OddPages>]
public partial struct LongToOdd;
