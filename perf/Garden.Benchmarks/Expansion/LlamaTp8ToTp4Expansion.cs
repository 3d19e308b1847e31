using Garden.Benchmarks.HandWritten;
using Garden.Benchmarks.Interpreted;

namespace Garden.Benchmarks.Expansion;

/// <summary>Another page size and another degree: 4 layers of 8 pages, 2 planes, 16 tokens a page; a run is one token of one head.</summary>
public class LlamaTp8ToTp4Expansion : KvExpansion<LlamaTp8ToTp4, TokenLoop>
{
    protected override int Pages => 8;

    protected override int Layers => 4;

    protected override long RunBytes => Llama70Tp8.HeadSize * Llama70Tp8.ElementBytes;

    protected override RunAxis[] Loops =>
        [new(StridedLayout.Layer, Layers), new(StridedLayout.Plane, Llama70Tp8.PlaneCount), new(StridedLayout.Token, Pages * Llama70Tp8.TokensPerPage)];

    protected override StridedLayout From => StridedLayout.Of<Llama70Tp8>(PoolPages);

    protected override StridedLayout To => StridedLayout.Of<Llama70Tp4>(PoolPages);
}
