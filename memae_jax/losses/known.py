"""The rules that come with the package, each with its words for reports."""

from memae_jax import image_errors
from memae_jax.losses import reductions
from memae_jax.losses.reductions import CLIP, FRAME, IMAGE, TABLE
from memae_jax.losses.rules import MEMORY, PRODUCT, SUM, Rule, register

register(
  Rule(
    'mse',
    'Mean squared error',
    'mean over the elements of a sample of the squared reconstruction error,'
    ' in squared units of the model input',
    trains=True,
  ),
  Rule(
    'mae_clip',
    "Mean length of a pixel's error (released code since 2021)",
    'mean over all pixels and frames of a clip of the length of the error over'
    ' the channels, in units of the model input',
    reduce=reductions.mae_clip,
    axes=(CLIP,),
  ),
  Rule(
    'release2019',
    'Mean length of the error over time (released code of 2019)',
    'mean over the pixels of the length of the error over the frames of a'
    ' clip, in units of [0, 1]',
    reduce=reductions.release2019,
    axes=(CLIP,),
  ),
  Rule(
    'mse_centre',
    'Mean squared error of the scored frame',
    'mean squared error of the scored frame, in squared units of the model'
    ' input',
    reduce=reductions.mse_centre,
    axes=(CLIP,),
  ),
  Rule(
    'psnr_centre',
    'Minus its peak signal-to-noise ratio',
    'minus the peak signal-to-noise ratio of the scored frame, in decibels',
    reduce=reductions.psnr_centre,
    axes=(CLIP,),
  ),
  Rule(
    'mse_averaged',
    'Mean squared error of the scored frame in all its clips',
    'mean squared error of the scored frame, mean over all the clips that hold'
    ' it, in squared units of the model input',
    reduce=reductions.frame_means,
    axes=(CLIP,),
    over_clips=True,
  ),
)
_PIXELS = 'mean over the channels'
_CELLS = f'squared error of each pixel, {_PIXELS}; of a bank, its distance'
register(
  Rule(
    'psnr',
    'Negative peak signal-to-noise ratio',
    'minus the peak signal-to-noise ratio of a single or predicted frame whose'
    ' values have a range of 2, in dB',
    reduce=lambda errors: reductions.decibels(reductions.mean(errors)),
    axes=(FRAME,),
  ),
  Rule(
    'max_cell',
    'Largest cell',
    'largest value in the map of the picture or scored frame: of squared'
    ' errors, mean over the channels; of a bank that rebuilds nothing, of'
    ' distances; of pictures whose score has another map, of that',
    errors=None,
    of_pixels=_CELLS,
    of_map=True,
  ),
  Rule(
    'mean_cell',
    'Mean cell',
    'mean of the map of the picture: of squared errors, mean over the channels;'
    ' of a bank that rebuilds nothing, of distances; where the score has'
    ' another map, of that',
    errors=None,
    of_pixels=_CELLS,
    of_map=True,
  ),
  Rule(
    'largest_cells',
    'Mean of the largest cells',
    'mean of the largest values (eval.largest_cells) in the map of the scored'
    ' frame: of squared errors, mean over the channels; of a bank that rebuilds'
    ' nothing, of distances',
    errors=None,
    of_pixels=_CELLS,
    of_map=True,
  ),
)
register(
  Rule(
    'blur_unit',
    'Distance of blurred, unit-norm images',
    'squared distance between image and reconstruction, both in [0, 1], blurred'
    f' by a Gaussian of {image_errors.SIGMA:g} pixel and divided by their L2'
    ' norms: 0 for the same direction, 2 for nothing in common',
    errors=image_errors.blur_unit,
    of_pixels='share of each pixel in the distance of the blurred, unit-norm'
    f' images, times the number of pixels, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
    scalings=('fixed',),
  ),
  Rule(
    'contrast_unit',
    'Distance of images of mean 0 and norm 1',
    'squared distance between image and reconstruction, both less their means'
    ' and divided by their L2 norms: 0 for the same direction, 2 for no'
    ' correlation, 4 for the negative',
    errors=image_errors.contrast_unit,
    of_pixels='share of each pixel in the distance of the images of mean 0 and'
    f' norm 1, times the number of pixels, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
  ),
  Rule(
    'ssim',
    'Structural dissimilarity',
    '1 minus the structural similarity (windows of'
    f' {image_errors.WINDOW} x {image_errors.WINDOW} pixels, values in [0, 1]),'
    ' mean over the pixels: 0 for the same image, at most 2',
    errors=image_errors.ssim,
    of_pixels=f'1 minus the structural similarity of each pixel, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
    scalings=('fixed',),
  ),
  Rule(
    'gradient',
    'Error of the gradients',
    'mean over the pixels of the squared error of the differences to the next'
    ' pixel below and to the right, in squared units of the model input',
    errors=image_errors.gradient,
    of_pixels='squared error of the differences of each pixel to the next ones,'
    f' {_PIXELS}, in squared units of the model input',
    axes=(IMAGE,),
    trains=True,
  ),
  Rule(
    'bce',
    'Binary cross-entropy',
    'mean over the elements of the binary cross-entropy of input and'
    ' reconstruction, both in [0, 1], less the entropy of the input, in nats: 0'
    ' for the same image',
    errors=image_errors.cross_entropy,
    of_pixels='binary cross-entropy of each pixel less the entropy of the'
    f' input, {_PIXELS}, in nats',
    axes=(IMAGE,),
    trains=True,
    scalings=('minmax',),
    outputs=('sigmoid',),
  ),
)
register(
  Rule(
    'feature_error',
    'Error of the features',
    'mean over the dimensions of the squared error of standardised features, 1'
    ' for their mean on training normals; of positions, that of the worst',
    errors=None,
    of_pixels='error of the features of each position, brought to the size of'
    ' the picture and blurred',
  )
)
register(
  Rule(
    'mahalanobis',
    'Mahalanobis distance',
    'distance of the features to their mean on training normals, in deviations'
    ' along the axes of their covariance; of positions, that of the farthest',
    errors=None,
    of_pixels='Mahalanobis distance of each position, brought to the size of'
    ' the picture and blurred',
  )
)
register(
  Rule(
    'feature',
    'Error of pixels and features',
    'mean over the pixels of the squared error, in squared units of the model'
    ' input, plus the weighted squared distance of the features of the frozen'
    ' network, of norm 1 at each position',
    errors=None,
    of_pixels=f'squared error of each pixel, {_PIXELS}, plus the weighted'
    ' distance of the features around it',
  ),
  Rule(
    'energy',
    'Energy',
    'how unlikely a sample is: of DAGMM the negative log density of code and'
    ' error under its mixture, in nats; of DSEBM the energy of its network,'
    ' which means nothing outside of it',
    errors=None,
    axes=(TABLE, IMAGE),
  ),
  Rule(
    'code_distance',
    'Distance of the code to its centre',
    'distance of the code to the nearest centre of the normals; of Deep SVDD'
    ' its square',
    errors=None,
    axes=(TABLE, IMAGE),
  ),
  Rule(
    'max_abs',
    'Largest error of a pixel',
    'largest absolute error of a pixel and channel, in units of the model'
    ' input',
    errors=None,
    of_pixels='absolute error of each pixel, the largest of the channels, in'
    ' units of the model input',
  ),
  Rule(
    'max_sigma',
    'Largest error in deviations',
    'largest absolute error of a pixel and channel over the deviation that the'
    ' Gaussian process gives it',
    errors=None,
    of_pixels='absolute error of each pixel, the largest of the channels, over'
    ' its deviation',
  ),
  Rule(
    'block_distance',
    'Largest distance of a block',
    'squared Mahalanobis distance of a block to what the rest of the picture'
    ' says, over its number of values; that of the farthest block',
    errors=None,
  ),
  Rule(
    'deviations',
    'Deviations from the mean',
    'distance of the grey level of a pixel to its mean on training normals,'
    ' over its deviation there or 2/255 of the grey levels, whichever is'
    ' larger; that of the farthest pixel',
    errors=None,
    of_pixels='distance of each pixel to its mean on training normals, in'
    ' deviations',
  ),
  Rule(
    'texture_energy',
    'Unlikeliness of the texture',
    'negative log-likelihood of the patch around a pixel under a mixture of'
    ' Gaussians, less its mean on training patches and over its deviation, the'
    ' largest over the levels of a pyramid; that of the unlikeliest pixel',
    errors=None,
    of_pixels='standardised negative log-likelihood of the patch around each'
    ' pixel, the largest over the levels of a pyramid',
  ),
  Rule(
    'anogan',
    'What a search among generated pictures leaves',
    'least weighted sum that a search finds of the absolute differences between'
    ' picture and generated picture and between what the discriminator sees in'
    ' both, over the number of elements, in units of the model input',
    errors=None,
  ),
  Rule(
    'generated_distance',
    'Distance to generated pictures',
    'mean distance to pictures that are drawn from the generator, less half the'
    ' mean distance between two of these: the energy score, over the root of'
    ' the number of elements, in units of the model input',
    errors=None,
  ),
)
_BITS = 'bits of each pixel under the network, mean over the channels'
register(
  Rule(
    'bits',
    'Bits per value',
    'negative log-likelihood of the grey levels under the network, in bits per'
    ' pixel and channel; few for simple pictures, whatever they show',
    errors=None,
    of_pixels=_BITS,
    axes=(IMAGE,),
  ),
  Rule(
    'bits_excess',
    'Bits per value beyond a plain code',
    'negative log-likelihood of the grey levels under the network, less what a'
    ' lossless code takes that knows no normals, in bits per pixel and channel',
    errors=None,
    of_pixels=_BITS,
    axes=(IMAGE,),
  ),
)
# Scores of classical methods that are no errors, see `methods.fitted`.
register(
  Rule(
    'kde',
    'Kernel density',
    'negative log of the sum of Gaussian kernels on the leading components, in'
    ' nats',
    errors=None,
  ),
  Rule(
    'ocsvm',
    'Distance to the surface',
    'negative distance to the surface of a one-class support vector machine',
    errors=None,
  ),
  Rule(
    'isolation_forest',
    'Isolation',
    'two to the power of minus the mean path length over that of an'
    ' unsuccessful search',
    errors=None,
  ),
)
register(
  Rule(
    MEMORY,
    'Distance to the memory',
    'distance to the nearest slots: of a bank or dictionary Euclidean, between'
    ' features or encodings, times the weight of the slot if it has one, mean'
    ' over the neighbours; of several kinds of features the weighted sum, each'
    ' less its mean on training features and over its deviation; of an'
    ' autoencoder between the directions of code and slot; of positions that of'
    ' the farthest one, but of an autoencoder of pixels their mean',
    errors=None,
    of_pixels='distance of each patch to the nearest slots, or the sum over'
    ' several kinds of patches, brought to the size of the picture and blurred',
  )
)
register(
  Rule(
    SUM,
    'Weighted sum of standardised scores',
    'sum of the scores in eval.parts, each less its mean and divided by its'
    ' deviation on validation normals, times its share; parts that a method'
    ' lacks are left out',
    errors=None,
  ),
  Rule(
    PRODUCT,
    'Weighted product of scores',
    'logarithm of the product of the scores in eval.parts, each divided by its'
    ' mean on validation normals, to the power of its share; parts that a'
    ' method lacks are left out',
    errors=None,
  ),
)
