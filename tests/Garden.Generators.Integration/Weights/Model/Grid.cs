namespace Garden.Generators.Integration.Weights.Model;

/// <summary>The elements a rank has room for, in the order it holds them: the number of each in the whole tensor, −1 for padding.</summary>
internal sealed record Grid(int[] Items, int Rows, int Columns, int Depth)
{
    public Grid(int rows, int columns, int depth)
        : this([.. Enumerable.Range(0, rows * columns * depth)], rows, columns, depth)
    {
    }

    public Grid Flat(int chunks, int chunk)
    {
        int[] items = NaiveMap.Chunk(Items, chunks, chunk);
        return new Grid(items, 1, 1, items.Length);
    }

    public Grid Shard(int dimension, int chunks, int chunk)
    {
        int[] sizes = [Rows, Columns, Depth];
        int[] picked = NaiveMap.Chunk([.. Enumerable.Range(0, sizes[dimension])], chunks, chunk);
        int[][] kept = [.. sizes.Select((size, i) => i == dimension ? picked : [.. Enumerable.Range(0, size)])];
        int[] items = [..
            from row in kept[0]
            from column in kept[1]
            from depth in kept[2]
            select row < 0 || column < 0 || depth < 0 ? -1 : Items[(((row * Columns) + column) * Depth) + depth]];
        return new Grid(items, kept[0].Length, kept[1].Length, kept[2].Length);
    }

    /// <summary>The blocks of these elements, of whose tensor a row has <paramref name="tensorColumns"/>.</summary>
    public int[] Blocks(int block, int tensorColumns)
    {
        int blocksARow = (tensorColumns + block - 1) / block;
        return [..
            from row in Enumerable.Range(0, (Rows + block - 1) / block)
            from column in Enumerable.Range(0, (Columns + block - 1) / block)
            let first = Items[(row * block * Columns) + (column * block)]
            select first < 0 ? -1 : (first / tensorColumns / block * blocksARow) + (first % tensorColumns / block)];
    }
}
