using Garden.Benchmarks.HandWritten;
using Garden.Benchmarks.Interpreted;

namespace Garden.Benchmarks.Expansion;

/// <summary>16 layers of 64 pages; a run is a page of a layer.</summary>
public class DeepSeekLayerMajorExpansion : KvExpansion<DeepSeekV3.Transfer, DeepSeekLayers>
{
    protected override int Pages => 64;

    protected override int Layers => 16;

    protected override long RunBytes => DeepSeekV3.BytesPerPage;

    protected override RunAxis[] Loops =>
        [new(StridedLayout.Layer, Layers), new(StridedLayout.Token, Pages * DeepSeekV3.TokensPerPage, DeepSeekV3.TokensPerPage)];

    protected override StridedLayout From => StridedLayout.Of<DeepSeekV3>(PoolPages);

    protected override StridedLayout To => From;
}

/// <summary>16 layers of 64 pages; a run is both planes of a page of a layer.</summary>
public class LlamaLayerMajorExpansion : KvExpansion<Llama70Tp8.Transfer, LlamaLayers>
{
    protected override int Pages => 64;

    protected override int Layers => 16;

    protected override long RunBytes => Llama70Tp8.BytesPerPage;

    protected override RunAxis[] Loops =>
        [new(StridedLayout.Layer, Layers), new(StridedLayout.Token, Pages * Llama70Tp8.TokensPerPage, Llama70Tp8.TokensPerPage)];

    protected override StridedLayout From => StridedLayout.Of<Llama70Tp8>(PoolPages);

    protected override StridedLayout To => From;
}

/// <summary>16 layers of 1024 pages; a run is the layers of a page.</summary>
public class DeepSeekPageMajorExpansion : KvExpansion<DeepSeekV3PageMajor.Transfer, DeepSeekPages>
{
    protected override int Pages => 1024;

    protected override int Layers => 16;

    protected override long RunBytes => Layers * DeepSeekV3PageMajor.BytesPerPage;

    protected override RunAxis[] Loops => [new(StridedLayout.Token, Pages * DeepSeekV3PageMajor.TokensPerPage, DeepSeekV3PageMajor.TokensPerPage)];

    protected override StridedLayout From => StridedLayout.Of<DeepSeekV3PageMajor>(PoolPages);

    protected override StridedLayout To => From;
}

/// <summary>16 layers of 1024 pages; a run is the layers of a page.</summary>
public class LlamaPageMajorExpansion : KvExpansion<Llama70Tp8PageMajor.Transfer, LlamaPages>
{
    protected override int Pages => 1024;

    protected override int Layers => 16;

    protected override long RunBytes => Layers * Llama70Tp8PageMajor.BytesPerPage;

    protected override RunAxis[] Loops => [new(StridedLayout.Token, Pages * Llama70Tp8PageMajor.TokensPerPage, Llama70Tp8PageMajor.TokensPerPage)];

    protected override StridedLayout From => StridedLayout.Of<Llama70Tp8PageMajor>(PoolPages);

    protected override StridedLayout To => From;
}
